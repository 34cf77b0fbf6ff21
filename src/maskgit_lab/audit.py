"""Find pictures that stand in more than one place of a data set, before they make a score meaningless.

python -m maskgit_lab.audit data=cat_faces data.root=DIR
python -m maskgit_lab.audit data=image_folder data.root=photos near=8
"""

from omegaconf import DictConfig

from maskgit_lab.command_line import hydra_command


@hydra_command("audit")
def main(cfg: DictConfig) -> None:
    """Write audit.json, audit.md and pairs.png, and print what was found."""
    from maskgit_lab.command import reporting_errors

    with reporting_errors():
        from maskgit_lab.audit_data import audit_data

        audit_data(cfg)


if __name__ == "__main__":
    main()
