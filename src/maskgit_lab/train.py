"""Train an inpainting model (stage 2, and stage 1 when no cached tokenizer fits), fill the test pictures, score and draw them.

    python -m maskgit_lab.train experiment=cosine
    python -m maskgit_lab.train data=cat_faces data.root=DIR data.split=clean recipe=small
    python -m maskgit_lab.train -m mask_schedule=linear,cosine,square
    python -m maskgit_lab.train trainer=multi_gpu
    python -m maskgit_lab.train resume=runs/cosine/2026-01-31_12-00-00 trainer.max_epochs=20

Heavy imports stay inside the function: `--help` and `--cfg job` answer at once.
"""

from omegaconf import DictConfig

from maskgit_lab.command_line import hydra_command


@hydra_command("train")
def main(cfg: DictConfig) -> float:
    """Run one job and return the best value of the monitored metric, for Hydra's sweepers."""
    from maskgit_lab.command import reporting_errors, require_one_device_in_sweeps, resumed_config, run_dir

    require_one_device_in_sweeps(cfg)
    with reporting_errors():
        from maskgit_lab.experiment import run_experiment
        from maskgit_lab.sweep import sweep_folder

        return run_experiment(resumed_config(cfg), run_dir(), sweep=sweep_folder())


if __name__ == "__main__":
    main()
