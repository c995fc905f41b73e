// Simulated customer signals: those of a second follow from (seed, second) alone, so that who goes on anywhere sends the same.
import { encodeSingleObject } from '../../../schemas/avro-encode.ts'
import { customerSignal, type CustomerSignal, type SignalKind } from '../../../schemas/customer-signal.ts'
import type { OutRecord } from '../../ports/log.ts'
import { channelWeights } from './marginals.ts'
import { hash, unit } from './random.ts'
import { firstUserNumber } from './traffic.ts'

/** Of each kind, for an event of behaviour. Costs come by the minute instead (where there is little traffic by the hour), one a channel. */
const perEvent: Readonly<Record<Exclude<SignalKind, 'cost'>, number>> = {
  service_rating: 0.0006,
  service_reply: 0.001,
  nps_response: 0.0003,
  content_report: 0.0005,
}
const freeChannels: readonly string[] = ['organic', 'invite']
/** What a second of all channels costs for an event a second (fen). */
const costMinor = 5
const costEveryS = (eventsPerSecond: number) => (eventsPerSecond >= 10 ? 60 : 3_600)
/** Who signals is one of the first to register: they are there from early on. */
const signallers = 400

export function signalsOf(seed: number, second: number, eventsPerSecond: number): OutRecord[] {
  const draw = (salt: number) => unit(hash(seed ^ 0x5197, second, salt))
  const records: OutRecord[] = []
  const add = (fields: Pick<CustomerSignal, 'kind'> & Partial<CustomerSignal>, salt: number) => {
    const at = second * 1_000 + Math.floor(draw(salt + 1) * 1_000)
    const signal: CustomerSignal = {
      ...nothing,
      signal_id: idOf(seed, second, salt),
      sent_at: at,
      occurred_at: at - Math.floor(draw(salt + 2) * 5_000),
      ...fields,
    }
    records.push({
      key: text.encode(signal.user_id ?? signal.channel!),
      value: encodeSingleObject(customerSignal, signal),
      timestampMs: at,
    })
  }
  let salt = 0
  for (const kind of Object.keys(perEvent) as Exclude<SignalKind, 'cost'>[]) {
    const count = Math.floor(perEvent[kind] * eventsPerSecond + draw((salt += 10)))
    for (let i = 0; i < count; i++) {
      salt += 10
      const user = `u${firstUserNumber + Math.floor(draw(salt + 3) ** 2 * signallers)}`
      add({ kind, user_id: user, ...bodyOf(kind, draw(salt + 4), draw(salt + 5)) }, salt)
    }
  }
  const every = costEveryS(eventsPerSecond)
  if (second % every === 0)
    for (const [channel, weight] of channelWeights)
      if (!freeChannels.includes(channel)) {
        const amount = Math.round(costMinor * every * eventsPerSecond * weight * (0.7 + 0.6 * draw((salt += 10) + 3)))
        add({ kind: 'cost', channel, amount_minor: Math.max(1, amount), currency: 'CNY' }, salt)
      }
  return records.toSorted((one, other) => one.timestampMs! - other.timestampMs!)
}

const text = new TextEncoder()
const nothing = {
  user_id: null, channel: null, score: null, seconds: null, content_id: null, severity: null, amount_minor: null, currency: null,
} // prettier-ignore

/** Most are content; a long wait is rare. */
function bodyOf(kind: Exclude<SignalKind, 'cost'>, at: number, other: number): Partial<CustomerSignal> {
  const channel = other < 0.6 ? 'chat' : 'phone'
  switch (kind) {
    case 'service_rating':
      return { channel, score: at < 0.86 ? 5 : at < 0.95 ? 4 : 1 + Math.floor(other * 3) }
    case 'service_reply':
      return { channel, seconds: Math.round(20 - 110 * Math.log(1 - at)) }
    case 'nps_response':
      return { score: at < 0.72 ? 9 + Math.round(other) : at < 0.93 ? 7 + Math.round(other) : Math.floor(other * 7) }
    case 'content_report':
      return { content_id: `v${Math.floor(other * 5_000)}`, severity: at < 0.7 ? null : at < 0.999 ? 'minor' : 'severe' }
  }
}

function idOf(seed: number, second: number, salt: number): Uint8Array {
  const id = new Uint8Array(16)
  const view = new DataView(id.buffer)
  view.setUint32(0, hash(seed, second, salt) >>> 0)
  view.setUint32(4, Math.floor(second / 2 ** 32))
  view.setUint32(8, second >>> 0)
  view.setUint32(12, salt)
  return id
}
