LEVEL = 0.5
PATHS = {"out": "scores.txt", "tables": ["train", "test"]}
LOGGER = print
