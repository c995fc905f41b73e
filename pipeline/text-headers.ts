// A record's headers, for those who read them as text.
import type { RecordHeaders } from './ports/log.ts'

const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

export const textHeaders = (headers: RecordHeaders | undefined): Record<string, string> =>
  Object.fromEntries(Object.entries(headers ?? {}).map(([name, value]) => [name, decoder.decode(value)]))
