"""Fill the holes of pictures from files with a trained run.

python -m maskgit_lab.inpaint run=runs/cosine/2026-01-31_12-00-00 images=photos masks=masks out=filled
python -m maskgit_lab.inpaint run=RUN images=photos hole_style=centre out=filled
"""

from omegaconf import DictConfig

from maskgit_lab.command_line import hydra_command


@hydra_command("inpaint")
def main(cfg: DictConfig) -> None:
    """Fill and write decoded/, composited/, steps/ and overview.png."""
    from maskgit_lab.command import reporting_errors

    with reporting_errors():
        from maskgit_lab.fill_files import fill_files

        fill_files(cfg)


if __name__ == "__main__":
    main()
