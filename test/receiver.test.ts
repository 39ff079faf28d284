/** The decoder's end of the channel: where a run was cut, nothing is read of what is left of it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gaussianPoints, signal } from '../corpus/trellis-signal.js';
import { Receiver } from '../src/codec/receiver.js';
import { BitReader } from '../src/entropy/bits.js';
import { PointEncoder } from '../src/entropy/tcq-encoder.js';
import { MIN_TCQ_NU } from '../src/entropy/tcq.js';
import { finish } from '../src/turns.js';

test('behind a run of points that was cut there is no scale and no side information', () => {
  const { run, residual } = gaussianPoints(signal(40, 3), 40, MIN_TCQ_NU);
  const { bytes, count } = finish(new PointEncoder().encodeInPieces(run, residual, MIN_TCQ_NU));
  let leftBehind = 0;
  for (let bits = 0; bits < count; bits++) {
    const reader = new BitReader(bytes, 0, bits);
    const receiver = new Receiver(reader, 8);
    const { covered } = finish(receiver.points(run, residual, MIN_TCQ_NU));
    if (covered === run.spreads.length) continue;
    assert.ok(receiver.ended);
    leftBehind += reader.remaining;
    assert.equal(receiver.scale(0), undefined, `${bits} bits`);
    assert.equal(receiver.gains(new Uint8Array(4)), undefined);
    assert.equal(finish(receiver.corrections(10)), undefined);
  }
  assert.ok(leftBehind > 0, 'no cut leaves bits behind');
});
