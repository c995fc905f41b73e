// What a strategy did to a KPI: before and after, against cells that it did not touch (difference in differences).

/** Sums of one cell, or of several, in one bucket. */
export type EffectBucket = { readonly at: number; readonly numerator: number; readonly denominator: number }
export type Span = { readonly fromMs: number; readonly toMs: number }

export type EffectQuestion = {
  /** The cell that the strategy was for. */
  readonly treated: readonly EffectBucket[]
  /** Sums over comparable cells; none: only before and after can be told. */
  readonly control: readonly EffectBucket[]
  readonly before: Span
  readonly after: Span
}

export type BeforeAfter = { readonly before: number; readonly after: number }

export type Effect = {
  /** NaN where the span has no denominator. */
  readonly treated: BeforeAfter
  readonly control: BeforeAfter | undefined
  /** What the KPI would be after, had the cell gone the way of the comparable ones. */
  readonly expectedAfter: number
  /** treated.after − expectedAfter, in the KPI's own unit. NaN where there is nothing to tell it by. */
  readonly effect: number
  readonly standardError: number
  /** 95 %, two-sided. */
  readonly low: number
  readonly high: number
  /** By the interval: does it hold 0? `unknown`: too little in one of the spans. */
  readonly verdict: 'rose' | 'fell' | 'no_difference' | 'unknown'
}

/** Minutes of an hour go together, so a span's scatter is that of so many equal pieces of it. */
export const piecesOfSpan = 12
const leastPieces = 6
/** Student's t, 0.975, by degrees of freedom from 5 to 11. */
const criticalT = [2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201]

export function measureEffect({ treated, control, before, after }: EffectQuestion): Effect {
  const compares = control.some(({ denominator }) => denominator > 0)
  const [was, is] = [before, after].map((span) => comparePieces(inPieces(treated, span), compares ? inPieces(control, span) : undefined))
  const degrees = Math.min(was!.pieces, is!.pieces) - 1
  const enough = degrees >= leastPieces - 1
  const expectedAfter = compares ? was!.treated + is!.control - was!.control : was!.treated
  const effect = enough ? is!.treated - expectedAfter : NaN
  const standardError = enough ? Math.sqrt(was!.variance + is!.variance) : NaN
  const reach = (criticalT[Math.min(degrees, 11) - 5] ?? NaN) * standardError
  const [low, high] = [effect - reach, effect + reach]
  const verdict = !Number.isFinite(effect) ? 'unknown' : low > 0 ? 'rose' : high < 0 ? 'fell' : 'no_difference'
  return {
    treated: { before: was!.treated, after: is!.treated },
    control: compares ? { before: was!.control, after: is!.control } : undefined,
    expectedAfter, effect, standardError, low, high, verdict,
  } // prettier-ignore
}

type Piece = { numerator: number; denominator: number }

function inPieces(buckets: readonly EffectBucket[], { fromMs, toMs }: Span): Piece[] {
  const pieces = Array.from({ length: piecesOfSpan }, () => ({ numerator: 0, denominator: 0 }))
  for (const { at, numerator, denominator } of buckets) {
    if (at < fromMs || at >= toMs) continue
    const piece = pieces[Math.floor(((at - fromMs) / (toMs - fromMs)) * piecesOfSpan)]!
    piece.numerator += numerator
    piece.denominator += denominator
  }
  return pieces
}

/**
 * The ratios of one span, and the variance of their difference: each piece's deviation from its ratio, treated less control (what moves
 * both in the same hour is no scatter of the difference), linearised (Cochran, Sampling Techniques, 6.4).
 */
function comparePieces(treated: readonly Piece[], control: readonly Piece[] | undefined) {
  const used = treated.flatMap((piece, i) => {
    const beside = control?.[i]
    return piece.denominator > 0 && (control === undefined || beside!.denominator > 0) ? [[piece, beside] as const] : []
  })
  const sum = (of: (pair: (typeof used)[number]) => number) => used.reduce((total, pair) => total + of(pair), 0)
  const weight = sum(([piece]) => piece.denominator)
  const weightBeside = sum(([, beside]) => beside?.denominator ?? 0)
  const ratio = sum(([piece]) => piece.numerator) / weight
  const ratioBeside = control === undefined ? NaN : sum(([, beside]) => beside!.numerator) / weightBeside
  const squares = sum(([piece, beside]) => {
    const off = (piece.numerator - ratio * piece.denominator) / weight
    return (off - (beside === undefined ? 0 : (beside.numerator - ratioBeside * beside.denominator) / weightBeside)) ** 2
  })
  return { pieces: used.length, treated: ratio, control: ratioBeside, variance: (squares * used.length) / (used.length - 1) }
}
