"""Train the tokenizer (stage 1). The result is cached under paths.cache by a hash of its configuration and data.

python -m maskgit_lab.train_tokenizer tokenizer=patch_small data=image_folder data.source.root=DIR
"""

from maskgit_lab.commands.shell import hydra_command

main = hydra_command("train_tokenizer", __doc__)

if __name__ == "__main__":
    main()
