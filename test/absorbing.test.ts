/** Absorbing-state diffusion on a toy whose truth is known: three places of three tokens, with the exact denoiser of them. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  absorbing,
  bitsOfToken,
  guidedTokens,
  MASKED,
  revealedInSteps,
  type AbsorbingOptions,
  type TokenDenoiser,
} from '../src/diffusion/absorbing.js';
import { hash32 } from '../src/math/hash.js';
import { withoutTurns } from '../src/turns.js';
import { assertLimited } from './helpers/limited.js';

const [PLACES, TOKENS] = [3, 3];
const STATES = TOKENS ** PLACES;
/** Enough that each token is revealed by itself. */
const ONE_BY_ONE = 2 ** 20;

/** Probabilities of all states, some of them 0: neighbours that are alike are ten times as probable. */
const TRUTH = ((): Float64Array => {
  const found = new Float64Array(STATES).map((_, state) => {
    const [a, b, c] = tokensOf(state);
    const like = (a === b ? 10 : 1) * (b === c ? 10 : 1);
    return hash32(5, state) % 7 === 0 ? 0 : like * (1 + (hash32(6, state) % 4));
  });
  const sum = found.reduce((total, value) => total + value, 0);
  return found.map((value) => value / sum);
})();

function tokensOf(state: number): number[] {
  return Array.from({ length: PLACES }, (_, place) => Math.floor(state / TOKENS ** place) % TOKENS);
}

/** Conditional probabilities of each place by those that can be seen. */
const exact: TokenDenoiser = async (tokens) => (place) => {
  const found = new Float64Array(TOKENS);
  TRUTH.forEach((p, state) => {
    const all = tokensOf(state);
    if (all.every((token, k) => tokens[k] === MASKED || tokens[k] === token)) found[all[place]!]! += p;
  });
  return found.map(Math.log2);
};

async function drawn(denoiser: TokenDenoiser, options: AbsorbingOptions): Promise<Uint16Array> {
  let last: Uint16Array | undefined;
  for await (const { tokens } of absorbing(denoiser, PLACES, options)) last = tokens;
  return last!;
}

/** Half the sum of what frequencies of 20 000 samples are off by. */
async function distance(steps: number, truth: Float64Array): Promise<number> {
  const samples = 20_000;
  const counts = new Float64Array(STATES);
  for (let key = 0; key < samples; key++) {
    const tokens = await drawn(exact, { steps, key });
    counts[tokens.reduce((state, token, place) => state + token * TOKENS ** place, 0)]! += 1 / samples;
  }
  return counts.reduce((sum, value, state) => sum + Math.abs(value - truth[state]!) / 2, 0);
}

/** Of places that know nothing of one another. */
const APART = TRUTH.map((_, state) =>
  tokensOf(state).reduce((product, token, place) => {
    const own = TRUTH.reduce((sum, p, other) => sum + (tokensOf(other)[place] === token ? p : 0), 0);
    return product * own;
  }, 1),
);

describe('absorbing-state diffusion', () => {
  // By chance 20 000 samples of 27 states are off by 0.013 on the mean.
  it(
    'one token at a time draws from the truth, all at once as if they knew nothing of one another',
    { timeout: 300_000 },
    async () => {
      assert.ok((await distance(ONE_BY_ONE, TRUTH)) < 0.02);
      assert.ok((await distance(1, APART)) < 0.02);
      const [one, four, many] = [await distance(1, TRUTH), await distance(4, TRUTH), await distance(64, TRUTH)];
      assert.ok(one > 0.3 && four < 0.7 * one && many < 0.05, `${one} ${four} ${many}`);
    },
  );

  it('temperature 0 takes the most probable token each time, a low one nearly', async () => {
    for (let key = 0; key < 50; key++) {
      const tokens = await drawn(exact, { steps: ONE_BY_ONE, key, temperature: 0 });
      assert.deepEqual(await drawn(exact, { steps: ONE_BY_ONE, key, temperature: 1e-320 }), tokens);
      assert.deepEqual(await drawn(exact, { steps: ONE_BY_ONE, key, temperature: 0.01 }), tokens);
    }
  });

  it('reveals each place once, more and more of them: 1 − (step / steps)² are masked', () => {
    assertLimited(
      fc.property(fc.nat(2000), fc.integer({ min: 1, max: 3000 }), fc.integer(), (length, steps, key) => {
        const rounds = revealedInSteps(length, steps, key);
        const places = rounds.flatMap((round) => [...round.places]);
        assert.deepEqual(
          places.sort((a, b) => a - b),
          Array.from({ length }, (_, i) => i),
        );
        rounds.forEach(({ step, places: own }, i) => {
          assert.ok(own.length > 0 && step < steps && step > (rounds[i - 1]?.step ?? -1));
        });
      }),
      { numRuns: 200 },
    );
    const length = 200_000;
    let masked = length;
    for (const { step, places } of revealedInSteps(length, 10, 7)) {
      masked -= places.length;
      assert.ok(Math.abs(masked / length - (1 - ((step + 1) / 10) ** 2)) < 0.005);
    }
  });

  it('the same key draws the same, another something else; states are kept, and the first is all masked', async () => {
    const seen: Uint16Array[] = [];
    for await (const { tokens } of absorbing(exact, PLACES, { steps: 5, key: 3 })) seen.push(tokens);
    assert.deepEqual([...seen[0]!], [MASKED, MASKED, MASKED]);
    seen
      .slice(1)
      .forEach((tokens, i) =>
        tokens.forEach((token, place) => assert.ok(seen[i]![place] === MASKED || seen[i]![place] === token)),
      );
    assert.deepEqual(await drawn(exact, { steps: 5, key: 3 }), seen.at(-1));
    const others = await Promise.all([4, 5, 6, 7].map((key) => drawn(exact, { steps: 5, key })));
    assert.ok(others.some((tokens) => String(tokens) !== String(seen.at(-1))));
  });

  it('bits of a token are −log2 of its probability, whatever is added to all logits', () => {
    const logits = Float64Array.of(-2, -1, -2);
    logits.forEach((logit, token) => assert.ok(Math.abs(bitsOfToken(logits, token) + logit) < 1e-12));
    const added = logits.map((value) => value + 700);
    assert.ok(Math.abs(bitsOfToken(added, 1) - 1) < 1e-9);
    assert.equal(bitsOfToken(Float64Array.of(0, -Infinity), 1), Infinity);
  });

  it('guidance: scale 0 is without the condition, 1 with it, more goes on in that direction', async () => {
    const [a, b] = [Float64Array.of(0, -1, -3), Float64Array.of(-1, -1, -1)];
    const of =
      (logits: Float64Array): TokenDenoiser =>
      async () =>
      () =>
        logits;
    const [wanted, plain] = [of(a), of(b)];
    assert.equal(guidedTokens(wanted, plain, 0), plain);
    assert.equal(guidedTokens(wanted, plain, 1), wanted);
    const found = (await guidedTokens(wanted, plain, 3)(Uint16Array.of(MASKED), withoutTurns()))(0);
    assert.deepEqual([...found], [2, -1, -7]);
    assert.throws(() => guidedTokens(wanted, plain, -1), { code: 'E_USAGE' });
  });

  it('what makes no sense is refused, and it stops where the caller stops', async () => {
    const refused = async (denoiser: unknown, length: unknown, options: unknown): Promise<void> => {
      const states = absorbing(denoiser as TokenDenoiser, length as number, options as AbsorbingOptions);
      await assert.rejects(
        async () => {
          for await (const _ of states) continue;
        },
        { code: 'E_USAGE' },
      );
    };
    for (const steps of [0, 1.5, NaN, 2 ** 20 + 1, '3']) await refused(exact, 3, { steps });
    for (const temperature of [-1, NaN, Infinity]) await refused(exact, 3, { temperature });
    for (const length of [0, -1, 0.5, NaN]) await refused(exact, length, {});
    await refused(undefined, 3, {});
    const nothing: TokenDenoiser = async () => () => Float64Array.of(NaN, NaN);
    await refused(nothing, 3, {});
    const controller = new AbortController();
    const states = absorbing(exact, PLACES, { steps: 9, pause: withoutTurns(controller.signal) });
    await states.next();
    controller.abort();
    await assert.rejects(states.next(), { code: 'E_ABORTED' });
  });
});
