"""Give a trained run a decoder that reads the known pixels.

python -m maskgit_lab.train_decoder run=runs/cosine/RUN
"""

from maskgit_lab.commands.shell import hydra_command

main = hydra_command("train_decoder", __doc__)

if __name__ == "__main__":
    main()
