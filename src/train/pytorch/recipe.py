"""The recipe that both trainers read, and the constants of the format that training leans on."""

import json
import pathlib

RECIPE = json.loads((pathlib.Path(__file__).parent.parent / "recipe.json").read_text())

# As in src/model: sigma codes, channels, bounds of the network's output.
EXACT, UNKNOWN, CODE_OF_ONE, PER_OCTAVE = 0, 255, 80, 16
COEFFICIENTS = 12
LOG_VARIANCE_MIN, LOG_VARIANCE_MAX = -13.0, 9.0

# As in src/format.ts: least information of what enters first, of what is measured straight at level 0, and of what is
# quantised; passes of what is not, at most; codes of a step at level 0 and at coarser levels.
FIRST_INFORMATION = 1 / 8
LEAST_INFORMATION = 1 / 10
QUANTISED_INFORMATION = 7 / 16
MOST_PASSES = 8
FINE_WIDTH, COARSE_WIDTH = 4, 2
# As in src/codec/masking.ts.
MASKING_LEAST, MASKING_USUAL, MASKING_UNIT, MASKING_MOST = 60, 1000, 2, 16
MASKING_CELL, MASKING_CALM = 2, 0.375


def code_of(octaves):
    """Sigma code of a log2 sigma."""
    return CODE_OF_ONE + round(octaves * PER_OCTAVE)


LEVELS = RECIPE["levels"]
TOP = code_of(RECIPE["sigma"]["top"])
HIGHEST, LOWEST = code_of(RECIPE["sigma"]["highest"]), code_of(RECIPE["sigma"]["lowest"])
