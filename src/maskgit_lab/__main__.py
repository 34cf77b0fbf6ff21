"""`python -m maskgit_lab` lists the commands."""

import importlib

COMMANDS = ("train", "train_tokenizer", "train_decoder", "inpaint", "app", "evaluate", "audit", "report", "collect")


def main() -> None:
    """Print each command with the first line of its help."""
    width = max(len(name) for name in COMMANDS)
    print("python -m maskgit_lab.COMMAND --help\n")
    for name in COMMANDS:
        first = (importlib.import_module(f"maskgit_lab.{name}").__doc__ or "").partition("\n")[0]
        print(f"  {name:{width}}  {first}")


if __name__ == "__main__":
    main()
