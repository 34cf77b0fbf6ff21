"""Train the tokenizer (stage 1, VQGAN) that `train` with the same overrides looks for in the cache.

python -m maskgit_lab.train_tokenizer
python -m maskgit_lab.train_tokenizer experiment=cats_cpu data.root=DIR
"""

from omegaconf import DictConfig

from maskgit_lab.command_line import hydra_command


@hydra_command("train_tokenizer")
def main(cfg: DictConfig) -> None:
    """Train one tokenizer, or say where the cached one is."""
    from maskgit_lab.command import reporting_errors, run_dir

    with reporting_errors():
        from maskgit_lab.stage1 import run_stage1

        run_stage1(cfg, run_dir())


if __name__ == "__main__":
    main()
