"""Train an inpainting model (stage 2, and stage 1 when no cached tokenizer fits), fill the test pictures, score and draw them.

    python -m maskgit_lab.train experiment=cosine
    python -m maskgit_lab.train data=cat_faces data.root=DIR data.split=clean recipe=small
    python -m maskgit_lab.train -m mask_schedule=linear,cosine,square
    python -m maskgit_lab.train trainer=multi_gpu
    python -m maskgit_lab.train resume=runs/cosine/2026-01-31_12-00-00 trainer.max_epochs=20

Heavy imports stay inside the function: `--help` and `--cfg job` answer at once.
"""

import hydra
from omegaconf import DictConfig

from maskgit_lab.config import config_dir, register

register()


@hydra.main(version_base="1.3", config_path=config_dir(), config_name="train")
def main(cfg: DictConfig) -> float:
    """Run one job and return the best value of the monitored metric, for Hydra's sweepers."""
    from maskgit_lab.command import reporting_errors, require_one_device_in_sweeps, resumed_config, run_dir

    require_one_device_in_sweeps(cfg)
    with reporting_errors():
        from maskgit_lab.experiment import run_experiment

        return run_experiment(resumed_config(cfg), run_dir())


if __name__ == "__main__":
    main()
