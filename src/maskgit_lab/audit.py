"""Find images that are in more than one place of a data set.

python -m maskgit_lab.audit data=cat_faces data.root=DIR
"""

from maskgit_lab.commands.shell import hydra_command

main = hydra_command("audit", __doc__)

if __name__ == "__main__":
    main()
