"""Open a page on which holes are painted and filled, token by token; of a sweep, its report.

python -m maskgit_lab.app run=runs/cosine/RUN
"""

from maskgit_lab.commands.shell import hydra_command

main = hydra_command("app", __doc__)

if __name__ == "__main__":
    main()
