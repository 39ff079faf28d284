/** The recipe of training, which the PyTorch trainer (src/train/pytorch) reads too. */
import { readFileSync } from 'node:fs';
import type content from './recipe.json';

type Recipe = typeof content;

export const RECIPE = JSON.parse(readFileSync(new URL('./recipe.json', import.meta.url), 'utf8')) as Recipe;
