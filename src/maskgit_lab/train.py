"""Train an inpainting model on visual tokens, fill the test images, score and draw them.

python -m maskgit_lab.train experiment=cosine
python -m maskgit_lab.train -m mask_schedule=linear,cosine,square seed=0,1
"""

from maskgit_lab.commands.shell import hydra_command

main = hydra_command("train", __doc__)

if __name__ == "__main__":
    main()
