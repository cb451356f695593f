import sys

out = sys.stdout.buffer
out.write(b"P5 16 16 255\n")
out.write(b"\x00\x01\x02" + bytes(range(0xA0, 0x100)) + b"\n")
out.write("naïve é \udcff".encode("utf-8", "surrogateescape") + b"\xff\xfe\x00 end\n")
out.flush()
sys.stderr.buffer.write(b"\x80\x81\n")
