import json


def load(text):
    try:
        return json.loads(text)
    except ValueError as error:
        raise RuntimeError("broken config") from error


def main():
    print("loading")
    load("{lr: 1}")


main()
