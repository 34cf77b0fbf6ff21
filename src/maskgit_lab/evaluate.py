"""Measure a run, or a folder of filled images, with floors and ceilings next to it.

python -m maskgit_lab.evaluate run=runs/cosine/RUN seeds=[0,1,2]
python -m maskgit_lab.evaluate outputs=filled truth=test_gt masks=mask64 metrics=inception
"""

from maskgit_lab.commands.shell import hydra_command

main = hydra_command("evaluate", __doc__)

if __name__ == "__main__":
    main()
