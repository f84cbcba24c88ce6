"""The training loop: Muon and AdamW, averaged weights, checkpoints to resume from, a log."""

import json
import math
import time
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel
from tqdm import tqdm

from models.train.evaluate import measure
from models.train.examples import Example
from models.train.loader import batches
from models.train.losses import losses
from models.train.network import TinyNetwork
from models.train.restart import read_network, settle
from models.train.runners import network_fields
from models.train.windows import Store

RATE, DECAY, MEMORY = 1.5e-3, 0.02, 0.998
SETTLE = 12  #: batches
#: Share of the training after which BatchNorm learns no more, and a step takes three quarters as long.
FIXED_FROM = 0.1
WARM_UP = 300  #: steps
SAVE_EVERY, MEASURE_EVERY, LOG_EVERY = 120.0, 1200.0, 50  #: seconds, seconds, steps


class Training:
    """One training, from scratch or from an exported file: its network, its progress and its folder."""

    def __init__(
        self, folder: Path, store: Store, minutes: float, seed: int, start: Path | None = None, rate: float = RATE
    ) -> None:
        torch.manual_seed(seed)
        self.folder, self.store, self.seconds, self.seed, self.rate = folder, store, minutes * 60, seed, rate
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        kinds = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")  # half precision gains nothing on others
        self.is_half = self.device.type == "cuda" or any(getattr(torch.cpu, kind, bool)() for kind in kinds)
        self.is_further = start is not None
        network = read_network(start) if start else TinyNetwork()
        self.network = network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = AveragedModel(self.network, multi_avg_fn=_average, use_buffers=True)
        self.matrices, rest = _parted(self.network)
        muon = torch.optim.Muon(self.matrices, rate, DECAY, adjust_lr_fn="match_rms_adamw")
        self.optimizers = [muon, torch.optim.AdamW(rest, rate, weight_decay=0.0)]
        self.step, self.images, self.spent = 0, 0, 0.0
        self._saved, self._measured, self._terms = 0.0, 0.0, list[dict[str, float]]()
        self._load()

    @property
    def progress(self) -> float:
        """The share of the training time that has passed."""
        return min(self.spent / self.seconds, 1.0)

    def run(self, dev: list[Example]) -> None:
        """Train until the time is up."""
        if self.is_further and self.step == 0:
            some = islice(batches(self.store, [self.seed]), SETTLE)
            settle(self.network, (self._pixels(images) for images, _ in some))
        self._measured = self._saved = self.spent
        bar = tqdm(total=round(self.seconds), initial=round(self.spent), unit="s")
        started = time.monotonic()
        for images, targets in batches(self.store, [self.seed, self.step]):
            if self.progress >= 1:
                break
            terms = self.advance(images, targets)
            self._report(terms, dev)
            now = time.monotonic()
            self.spent, started = self.spent + now - started, now
            bar.update(max(round(self.spent) - bar.n, 0))
        bar.close()
        self.save()

    def _report(self, terms: dict[str, float], dev: list[Example]) -> None:
        """Log the mean loss of every few steps, measure AP, save, each from time to time."""
        self._terms.append(terms)
        if self.step % LOG_EVERY == 0:
            means = {name: round(sum(each[name] for each in self._terms) / len(self._terms), 4) for name in terms}
            self._log(total=round(sum(means.values()), 4), **means)
            self._terms.clear()
        if dev and self.spent - self._measured >= MEASURE_EVERY:
            self._measured = self.spent
            self._log(**measure(lambda image: network_fields(self.averaged(), image), dev))
        if self.spent - self._saved >= SAVE_EVERY:
            self._saved = self.spent
            self.save()

    def averaged(self) -> TinyNetwork:
        """Return the averaged network, ready to run."""
        network: TinyNetwork = self.average.module.eval()
        return network

    def save(self) -> None:
        """Write all that is needed to resume, and separately the averaged weights."""
        state = {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "step": self.step,
            "images": self.images,
            "spent": self.spent,
        }
        for name, content in (("checkpoint.pt", state), ("weights.pt", self.averaged().state_dict())):
            partial = self.folder / f"{name}.partial"
            torch.save(content, partial)
            partial.replace(self.folder / name)

    def _load(self) -> None:
        """Resume from the folder's checkpoint, if it has one."""
        path = self.folder / "checkpoint.pt"
        if path.exists():
            state = torch.load(path, map_location=self.device)
            self.network.load_state_dict(state["network"])
            self.average.load_state_dict(state["average"])
            for optimizer, known in zip(self.optimizers, state["optimizers"], strict=True):
                optimizer.load_state_dict(known)
            self.step, self.images, self.spent = state["step"], state["images"], state["spent"]

    def advance(self, images: Tensor, targets: dict[str, Tensor]) -> dict[str, float]:
        """Take one step and return the terms of the loss."""
        warm = min((self.step + 1) / WARM_UP, 1)
        for group in (group for optimizer in self.optimizers for group in optimizer.param_groups):
            group["lr"] = self.rate * warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * self.progress)))
        if self.progress >= FIXED_FROM:
            self.network.fix()
        self.network.train()
        known = {name: values.to(self.device).float() for name, values in targets.items()}
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.is_half):
            outputs = self.network(self._pixels(images))
        terms = losses(outputs, known)
        total = torch.stack(list(terms.values())).sum()
        self.network.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 20.0)
        for matrix, weights in self.matrices.items():
            matrix.grad = None if weights.grad is None else weights.grad.flatten(1)
        for optimizer in self.optimizers:
            optimizer.step()
        self.average.update_parameters(self.network)
        self.step, self.images = self.step + 1, self.images + len(images)
        return {name: float(value.detach()) for name, value in terms.items()}

    def _pixels(self, images: Tensor) -> Tensor:
        """Return images as the network takes them."""
        return images.to(self.device).float().div_(127.5).sub_(1).contiguous(memory_format=torch.channels_last)

    def _log(self, **figures: Any) -> None:
        """Append a line to the log."""
        line = {"step": self.step, "images": self.images, "minutes": round(self.spent / 60, 2), **figures}
        with (self.folder / "log.jsonl").open("a") as log:
            log.write(json.dumps(line) + "\n")


def _parted(network: nn.Module) -> tuple[dict[nn.Parameter, nn.Parameter], list[nn.Parameter]]:
    """Return the weights of 1x1 convolutions, by matrices that share their memory, and all other parameters."""
    matrices, rest = dict[nn.Parameter, nn.Parameter](), list[nn.Parameter]()
    for values in network.parameters():
        if values.ndim == 4 and values.shape[1] > 1 and values.shape[2:] == (1, 1):
            matrices[nn.Parameter(values.detach().flatten(1))] = values
        else:
            rest.append(values)
    return matrices, rest


def _average(averages: list[Tensor], values: list[Tensor], count: Tensor | int) -> None:
    """Move averages slowly towards values, faster during the first steps."""
    memory = min(MEMORY, (int(count) + 1) / (int(count) + 10))
    for average, value in zip(averages, values, strict=True):
        if average.is_floating_point():
            average.lerp_(value, 1 - memory)
        else:
            average.copy_(value)
