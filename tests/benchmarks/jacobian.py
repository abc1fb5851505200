"""Full Jacobians and their largest singular triplets beside other ways to get them, in one process on one image.

    python -m tests.benchmarks.jacobian --model hf:DIR [hf:DIR ...] --image PHOTO

Full: all rows by vitequiv, `torch.autograd.functional.jacobian` (a loop, and vectorised), `torch.func.jacrev` with a
chunk size, and n times one backward pass measured alone. Top k: vitequiv's Lanczos, `scipy.sparse.linalg.svds` on the
same operator, plenoptic's `Eigendistortion` (randomised SVD with its recommended p and q, and power iteration; if
installed), and `torch.svd_lowrank` on the dense matrix, which needs all rows first. Times are ratios, as machines
differ; passes are exact. Memory is the growth of the peak resident size, each way in a process of its own.
`tests.benchmarks.random_vit` makes larger models with random weights.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from vitequiv.encoders.load import load_encoder
from vitequiv.geometry.attention import plain_attention
from vitequiv.geometry.lanczos import top_triplets
from vitequiv.geometry.operator import Jacobian
from vitequiv.geometry.rows import dense
from vitequiv.geometry.spectrum import spectrum
from vitequiv.images.decode import load_image

Embed = Callable[[Tensor], Tensor]
CHUNK = 32


def single(embed: Embed) -> Embed:
    """The map for one image without a batch dimension."""
    return lambda x: embed(x[None])[0]


def by_vitequiv(embed: Embed, x: Tensor) -> Tensor:
    return dense(Jacobian(embed, x))


def by_vitequiv_with_spectrum(embed: Embed, x: Tensor) -> Tensor:
    found = spectrum(dense(Jacobian(embed, x)), overwrite=True)
    return found.singular_values


def by_functional_loop(embed: Embed, x: Tensor) -> Tensor:
    return torch.autograd.functional.jacobian(single(embed), x).flatten(1)


def by_functional_vectorised(embed: Embed, x: Tensor) -> Tensor:
    with plain_attention():
        return torch.autograd.functional.jacobian(single(embed), x, vectorize=True).flatten(1)


def by_jacrev(embed: Embed, x: Tensor) -> Tensor:
    with plain_attention():
        return torch.func.jacrev(single(embed), chunk_size=CHUNK)(x).flatten(1)


WAYS: dict[str, Callable[[Embed, Tensor], Tensor]] = {
    "vitequiv, rows alone": by_vitequiv,
    "vitequiv, with U, S and V": by_vitequiv_with_spectrum,
    "torch.autograd.functional.jacobian": by_functional_loop,
    "the same, vectorize=True": by_functional_vectorised,
    f"torch.func.jacrev, chunk_size={CHUNK}": by_jacrev,
}


def prepare(spec: str, path: str, rows: int | None = None) -> tuple[Embed, Tensor]:
    """The map, or its first coordinates, and the image."""
    encoder = load_encoder(spec)
    embed: Embed = encoder.embed if rows is None else lambda x: encoder.embed(x)[:, :rows]
    return embed, encoder.preprocess(load_image(path).image)


def run_alone(spec: str, path: str, rows: int | None, way: str, threads: int, answer: multiprocessing.Queue) -> None:
    """One way in a process of its own, for its time and peak memory."""
    torch.set_num_threads(threads)
    embed, x = prepare(spec, path, rows)
    Jacobian(embed, x).pull(torch.ones(embed(x[None]).shape[1]))  # warm
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # forget the peak of loading
    before = memory("VmRSS")
    began = time.perf_counter()
    matrix = WAYS[way](embed, x)
    seconds = time.perf_counter() - began
    grown = memory("VmHWM") - before
    answer.put((seconds, grown, float(torch.linalg.vector_norm(matrix, dtype=torch.float64))))


def memory(field: str) -> float:
    """A line of Linux's /proc/self/status, in MiB."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith(field))


def one_pass(embed: Embed, x: Tensor, repeats: int = 10) -> float:
    """Median seconds of one backward pass to the pixels."""
    jacobian = Jacobian(embed, x)
    u = torch.ones(jacobian.shape[0])
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        jacobian.pull(u)
        seconds.append(time.perf_counter() - began)
    return sorted(seconds)[repeats // 2]


def full(spec: str, path: str, rows: int | None, threads: int) -> None:
    embed, x = prepare(spec, path, rows)
    n = embed(x[None]).shape[1]
    ideal = n * one_pass(embed, x)
    print(f"\nfull, {n} x {x.numel()}; one backward pass alone takes {1000 * ideal / n:.0f} ms\n")
    print("| way | time over n passes measured alone | peak memory, MiB | norm |\n| --- | --- | --- | --- |")
    context = multiprocessing.get_context("spawn")
    for way in WAYS:
        answer = context.Queue()
        process = context.Process(target=run_alone, args=(spec, path, rows, way, threads, answer))
        process.start()
        process.join()
        if process.exitcode:
            print(f"| {way} | failed | | |", flush=True)
            continue
        seconds, grown, norm = answer.get()
        print(f"| {way} | {seconds / ideal:.2f} | {grown:.0f} | {norm:.6g} |", flush=True)


def topk(spec: str, path: str, counts: list[int]) -> None:
    from scipy.sparse.linalg import svds

    embed, x = prepare(spec, path)
    matrix = dense(Jacobian(embed, x))
    known = torch.linalg.svdvals(matrix.double())
    n = len(matrix)
    print(f"\ntop k of {n}; a full spectrum takes {n + 1} passes\n")
    print("| way | k | passes | share of full | worst residual | worst error of s |\n" + "| --- " * 6 + "|")
    for k in counts:
        jacobian = Jacobian(embed, x)
        found = top_triplets(jacobian, k)
        report(f"vitequiv | {k}", jacobian.passes, n, float(found.residuals.max()), found.singular_values, known[:k])
        jacobian = Jacobian(embed, x)
        left, values, right = svds(jacobian.to_scipy(), k=k, tol=1e-3, random_state=0)
        order = values.argsort()[::-1].copy()
        u, s, v = (torch.from_numpy(a.copy()) for a in (left[:, order], values[order], right[order]))
        spent = jacobian.passes
        residual = ((matrix.double() @ v.T - u * s).norm(dim=0) / s).max()
        report(f"scipy svds, tol=1e-3 | {k}", spent, n, float(residual), s, known[:k])
        for way in ("randomized_svd", "power") if k == counts[0] else ():
            row = by_plenoptic(embed, x, k, way)
            if isinstance(row, str):
                print(f"| plenoptic Eigendistortion, {way} | {k} | {row} | | | |", flush=True)
                continue
            spent, s, v = row
            u = matrix.double() @ v
            residual = ((matrix.double().T @ (u / u.norm(dim=0)) - s * v).norm(dim=0) / s).max()
            report(f"plenoptic Eigendistortion, {way} | {k}", spent, n, float(residual), s, known[:k])
        torch.manual_seed(0)
        u, s, v = torch.svd_lowrank(matrix, q=k + 6, niter=2)
        residual = ((matrix @ v - u * s).norm(dim=0) / s)[:k].max()
        report(f"torch.svd_lowrank of the dense matrix | {k}", n + 1, n, float(residual), s[:k].double(), known[:k])


def by_plenoptic(embed: Embed, x: Tensor, k: int, way: str) -> tuple[int, Tensor, Tensor] | str:
    """Passes, singular values and right singular vectors, or why not; its eigenvalues are those of J^T J.

    Its exact method needs the m x m matrix J^T J, 84 GiB at 224 px, and so does the error estimate of its randomised
    SVD. Power iteration also looks for the smallest eigenvalues; only the largest are asked for here, for at most 10
    iterations.
    """
    try:
        from plenoptic._synthesize import eigendistortion
    except ImportError:
        return "not installed"
    spent = 0
    product = eigendistortion._fisher_info_matrix_vector_product

    def counted(y: Tensor, image: Tensor, vectors: Tensor, dummy: Tensor) -> Tensor:
        nonlocal spent
        spent += 2 * vectors.shape[1] + 1  # J v and J^T of it, and one for the graph of the first
        return product(y, image, vectors, dummy)

    class Model(torch.nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return embed(images)

    eigendistortion._fisher_info_matrix_vector_product = counted
    torch.manual_seed(0)
    try:
        with plain_attention(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = eigendistortion.Eigendistortion(x[None], Model().eval())
            if way == "power":
                eigenvalues, v = found._synthesize_power(k=k, shift=0.0, tol=1e-3, max_iter=10)
            else:
                eigenvalues, v, _ = found._synthesize_randomized_svd(k=k, p=5, q=2)
    except RuntimeError as error:
        return "out of memory: an m x m matrix" if "allocate memory" in str(error) else str(error)
    finally:
        eigendistortion._fisher_info_matrix_vector_product = product
    s = eigenvalues.detach().double().flatten().clamp_min(0).sqrt()
    order = s.argsort(descending=True)
    return spent + 1, s[order], v.detach().double()[:, order]


def report(name: str, passes: int, n: int, residual: float, found: Tensor, known: Tensor) -> None:
    error = float(((found - known).abs() / known).max())
    print(f"| {name} | {passes} | {passes / (n + 1):.3f} | {residual:.1e} | {error:.1e} |", flush=True)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", nargs="+", default=["tiny-clip"])
    parser.add_argument("--image", required=True)
    parser.add_argument("--k", type=int, nargs="+", default=[8, 16])
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument(
        "--rows", type=int, help="at most so many, the first coordinates of the embedding, for the full Jacobian"
    )
    parser.add_argument("--skip-full", action="store_true")
    parser.add_argument("--skip-topk", action="store_true")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    for model in options.model:
        print(f"\n## {model}")
        if not options.skip_topk:
            topk(model, options.image, options.k)
        if not options.skip_full:
            full(model, options.image, options.rows, options.threads)


if __name__ == "__main__":
    main()
