"""The training loop: transformers' Trainer with our settings."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from lensbench.errors import UsageError
from lensbench.methods.base import Progress
from lensbench.methods.sft.batches import collator
from lensbench.methods.sft.callbacks import Diverged, StepLog, Watch
from lensbench.methods.sft.config import SftConfig
from lensbench.methods.sft.encode import Encoded
from lensbench.methods.sft.trainable import Trainee

__all__ = ["check_device", "train"]


def check_device(device: torch.device) -> None:
    """Trainer takes the first visible accelerator, whatever the model is on.

    Raises:
        UsageError: the backbone is on another one.
    """
    if device.type == "cuda" and device.index:
        raise UsageError(
            f"fine-tuning runs on the first visible device, the backbone is on {device}",
            f"CUDA_VISIBLE_DEVICES={device.index} makes it the first one; then ``device=cuda``.",
        )


def train(
    trainee: Trainee,
    rows: Sequence[Encoded],
    config: SftConfig,
    progress: Progress,
    *,
    pad_token: int,
    device: torch.device,
    compute_dtype: torch.dtype,
) -> list[StepLog]:
    """Train in place.

    Args:
        compute_dtype: Of the backbone. With float32 nothing is rounded; with a 16-bit one the forward pass runs in bfloat16
            (float16 would need its losses scaled), while weights, gradients and optimiser states stay float32.

    Returns:
        The log of every step.

    Raises:
        Diverged: a loss or gradient is not finite; no step is taken with it, the parameters are those of the step before.
        UsageError: the warm-up would take every step.
    """
    from transformers import PrinterCallback, Trainer, TrainingArguments

    steps, warmup = config.steps(len(rows))
    if config.checkpointing:
        _checkpoint(trainee.model)
    with tempfile.TemporaryDirectory(prefix="lensbench-sft-") as scratch:
        arguments = TrainingArguments(
            output_dir=str(Path(scratch)),
            per_device_train_batch_size=config.micro_batch,
            gradient_accumulation_steps=config.batch_size // config.micro_batch,
            num_train_epochs=config.epochs,
            learning_rate=config.learning_rate,
            lr_scheduler_type="cosine",
            warmup_steps=warmup,
            weight_decay=config.weight_decay,
            max_grad_norm=config.max_grad_norm,
            optim="adamw_torch_fused",
            adam_beta1=0.9,
            adam_beta2=0.999,
            adam_epsilon=1e-8,
            bf16=compute_dtype != torch.float32,
            use_cpu=device.type == "cpu",
            seed=config.seed,
            data_seed=config.seed,
            logging_steps=1,
            logging_nan_inf_filter=False,
            save_strategy="no",
            eval_strategy="no",
            report_to="none",
            disable_tqdm=True,
            remove_unused_columns=False,
            dataloader_pin_memory=device.type != "cpu",
        )
        if arguments.n_gpu > 1:
            # Several visible devices would each get a batch of their own (DataParallel), more items than were requested.
            arguments._n_gpu = 1
        with progress.stage("fine-tuning", steps) as advance:
            watch = Watch(advance)
            trainer: Any = Trainer(
                model=trainee.model,
                args=arguments,
                train_dataset=[{"input_ids": row.ids, "labels": row.labels} for row in rows],
                data_collator=collator(pad_token),
                compute_loss_func=watch.loss,
                callbacks=[watch],
            )
            trainer.remove_callback(PrinterCallback)
            try:
                trainer.train()
            except Diverged as error:
                error.log = watch.log
                raise
    return watch.log


def _checkpoint(model: Any) -> None:
    # Later 5.x releases renamed the switch and warn at the old name.
    enable = getattr(model, "activation_checkpointing_enable", None) or model.gradient_checkpointing_enable
    enable({"use_reentrant": False})
