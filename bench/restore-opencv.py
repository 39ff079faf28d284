"""What OpenCV makes of the pictures that `node dist/bench/restore.js … --out FOLDER` has written.

pip install opencv-python-headless numpy; python3 bench/restore-opencv.py FOLDER
Inpainting by Telea and Navier-Stokes (radius 3), denoising by fastNlMeansDenoisingColored with h = hColor = 0.7 sigma.
"""

import re
import sys
from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np

folder = Path(sys.argv[1])
scores: dict[str, list[float]] = defaultdict(list)


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / ((a.astype(float) - b) ** 2).mean()))


for path in sorted(folder.glob("*-mask-*.png")):
    name, kind = path.stem.split("-mask-")
    clean = cv2.imread(str(folder / f"{name}-clean.png"))
    mask = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    for rival, method in ("Telea", cv2.INPAINT_TELEA), ("Navier-Stokes", cv2.INPAINT_NS):
        made = cv2.inpaint(clean, mask, 3, method)
        scores[f"{kind} {rival}"].append(psnr(clean[mask > 0], made[mask > 0]))
for path in sorted(folder.glob("*-noise*.png")):
    name, sigma = re.fullmatch(r"(.*)-noise(\d+)", path.stem).groups()
    clean = cv2.imread(str(folder / f"{name}-clean.png"))
    strength = 0.7 * float(sigma)
    made = cv2.fastNlMeansDenoisingColored(cv2.imread(str(path)), None, strength, strength, 7, 21)
    scores[f"sigma {sigma} non-local means"].append(psnr(clean, made))
for what, list_ in scores.items():
    print(f"{what} ({len(list_)}): {np.mean(list_):.2f} dB")
