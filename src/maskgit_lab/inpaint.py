"""Fill the holes of images from files with a trained run: any size and mode, every known pixel stays as it is.

python -m maskgit_lab.inpaint run=runs/cosine/RUN images=photo.png masks=scratch.png out=filled
python -m maskgit_lab.inpaint run=runs/cosine/RUN images=photos masks=masks out=four num_samples=4 decode.token_temperature=1.0
python -m maskgit_lab.inpaint run=runs/cosine/RUN images=[a.png,b.jpg] mask_hole=alpha out=filled
"""

from maskgit_lab.commands.shell import hydra_command

main = hydra_command("inpaint", __doc__)

if __name__ == "__main__":
    main()
