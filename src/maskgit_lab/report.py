"""One page about a run or a sweep: configuration, curves, scores with floors and ceilings, fills, what each schedule does.

python -m maskgit_lab.report run=runs/cosine/2026-01-31_12-00-00
python -m maskgit_lab.report run=runs/sweeps/default/2026-01-31_12-00-00
"""

import hydra
from omegaconf import DictConfig

from maskgit_lab.config import config_dir, register

register()


@hydra.main(version_base="1.3", config_path=config_dir(), config_name="report")
def main(cfg: DictConfig) -> None:
    """Write report.html and report.md."""
    from maskgit_lab.command import reporting_errors

    with reporting_errors():
        from maskgit_lab.write_report import write_report

        write_report(cfg)


if __name__ == "__main__":
    main()
