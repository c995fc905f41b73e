// Whether something grows with time: the line of least squares through its samples, and how sure its slope is.
export type Slope = {
  perMinute: number
  /** Standard error. Neighbouring samples are not independent of each other, so that it is a lower bound. */
  error: number
}

/** At least three samples, at different times. */
export function slopeOf(samples: readonly { readonly minutes: number; readonly value: number }[]): Slope {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
  const [x, y] = [mean(samples.map(({ minutes }) => minutes)), mean(samples.map(({ value }) => value))]
  const sum = (of: (x: number, y: number) => number) => samples.reduce((total, one) => total + of(one.minutes - x, one.value - y), 0)
  const xx = sum((dx) => dx * dx)
  const perMinute = sum((dx, dy) => dx * dy) / xx
  const rest = sum((dx, dy) => (dy - perMinute * dx) ** 2)
  return { perMinute, error: Math.sqrt(rest / (samples.length - 2) / xx) }
}

/** Twice the error: what chance seldom passes. */
export const growsBy = ({ perMinute, error }: Slope): { least: number; most: number } => ({
  least: perMinute - 2 * error,
  most: perMinute + 2 * error,
})
