"""Fill the holes of images from files with a trained run.

python -m maskgit_lab.inpaint run=runs/cosine/RUN images=photos masks=masks out=filled
"""

from maskgit_lab.commands.shell import hydra_command

main = hydra_command("inpaint", __doc__)

if __name__ == "__main__":
    main()
