"""Write one page about a run or a sweep; it opens without a network.

python -m maskgit_lab.report run=runs/cosine/RUN
"""

from maskgit_lab.commands.shell import hydra_command

main = hydra_command("report", __doc__)

if __name__ == "__main__":
    main()
