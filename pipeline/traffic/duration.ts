// Spans of time as people write them on a command line.

const units: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** `90s`, `20m`, `6h`, `38d`, `1h30m` → milliseconds; undefined where it is none. */
export function durationMs(text: string): number | undefined {
  if (!/^(\d+(\.\d+)?(ms|s|m|h|d))+$/.test(text)) return undefined
  let sum = 0
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)) sum += Number(amount) * units[unit!]!
  return sum
}

export const durationForm = 'a span such as 90s, 20m, 6h or 38d'

/** An instant with its zone (`2026-11-01T00:00+08:00`, `…Z`) or a bare date, which begins at 00:00 UTC; else undefined. */
export function instantMs(text: string): number | undefined {
  if (!/^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:?\d{2}))?$/.test(text)) return undefined
  const at = Date.parse(text)
  return Number.isNaN(at) ? undefined : at
}

export const instantForm = 'an instant such as 2026-11-01T00:00+08:00 or 2026-11-01'
