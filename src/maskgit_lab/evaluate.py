"""Measure a run: schedules x sweet spots over several decoding seeds, beside outputs that need no model.

python -m maskgit_lab.evaluate run=runs/cosine/2026-01-31_12-00-00
python -m maskgit_lab.evaluate run=RUN metrics=inception sweet_spots=[3,5,7] seeds=[0,1,2]
python -m maskgit_lab.evaluate outputs=filled truth=test_gt masks=mask64
"""

from omegaconf import DictConfig

from maskgit_lab.command_line import hydra_command


@hydra_command("evaluate")
def main(cfg: DictConfig) -> None:
    """Write evaluation.json, table.md, table.csv and figures/, and print the table."""
    from maskgit_lab.command import reporting_errors

    with reporting_errors():
        from maskgit_lab.measure import measure

        measure(cfg)


if __name__ == "__main__":
    main()
