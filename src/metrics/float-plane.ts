/** A plane of float samples, rows from top to bottom. */
export interface FloatPlane {
  width: number;
  height: number;
  data: Float32Array;
}

export function plane(width: number, height: number): FloatPlane {
  return { width, height, data: new Float32Array(width * height) };
}
