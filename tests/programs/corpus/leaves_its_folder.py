import os
import shutil
import tempfile

place = os.path.join(os.getcwd(), "scratch")
os.mkdir(place)
os.chdir(place)
shutil.rmtree(place)
try:
    os.getcwd()
except FileNotFoundError as e:
    print("gone:", e.strerror)
del os.environ["PATH"]
os.environ.clear()
