"""One page about a run or a sweep: configuration, curves, scores with floors and ceilings, fills, what each schedule does.

python -m maskgit_lab.report run=runs/cosine/2026-01-31_12-00-00
python -m maskgit_lab.report run=runs/sweeps/default/2026-01-31_12-00-00
"""

from omegaconf import DictConfig

from maskgit_lab.command_line import hydra_command


@hydra_command("report")
def main(cfg: DictConfig) -> None:
    """Write report.html and report.md."""
    from maskgit_lab.command import reporting_errors

    with reporting_errors():
        from maskgit_lab.write_report import write_report

        write_report(cfg)


if __name__ == "__main__":
    main()
