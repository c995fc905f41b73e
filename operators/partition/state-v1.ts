// State as version 1 wrote it, made over into version 2. Numbers were varints of zigzag times two, or a one and a double.
import { measures, windows } from '../../schemas/measures.ts'
import { byteWriter, putBytes, putDouble, putInt, putUint, room, taken, type ByteWriter } from '../bytes.ts'

export type OtherCodes = Readonly<Record<'channel' | 'region' | 'app_version' | 'category', number>>

const version2 = 8

function numberReader(source: Uint8Array) {
  let at = 0
  const double = new Float64Array(1)
  const doubleBytes = new Uint8Array(double.buffer)
  const byte = () => {
    if (at >= source.length) throw new RangeError(`it ends after ${at} bytes, in the middle of a value: it is cut short or broken`)
    return source[at++]!
  }
  const next = (): number => {
    let x = byte()
    if (x === 1) {
      for (let i = 0; i < 8; i++) doubleBytes[i] = byte()
      return double[0]!
    }
    let value = x & 127
    let scale = 128
    while (x > 127) {
      x = byte()
      value += (x & 127) * scale
      scale *= 128
    }
    value /= 2
    return value % 2 === 1 ? -(value + 1) / 2 : value / 2
  }
  return {
    next,
    list<T>(count: number, each: () => T): T[] {
      if (!(count >= 0 && count <= source.length - at))
        throw new RangeError(`it says ${count} entries at byte ${at}, and is only ${source.length} bytes long: it is cut short or broken`)
      return Array.from({ length: count }, each)
    },
    bytes(length: number): Uint8Array {
      if (!(length >= 0 && at + length <= source.length))
        throw new RangeError(`it ends before byte ${at + length}: it is cut short or broken`)
      at += length
      return source.subarray(at - length, at)
    },
    ended: () => at >= source.length,
  }
}

/** Codes were places in the lists as they were then, `other` behind the last: the lists must be the same still. */
export function userOfVersion1(value: Uint8Array, otherCodes: OtherCodes): Uint8Array {
  const { next, list, ended } = numberReader(value)
  next() // the version
  const [rung = 0, pendingAt = 0, waitingAt = 0] = list(3, next)
  const [firstSeen = 0, lastSeen = 0, registered = 0, lastPurchase = 0, amount = 0] = list(5, next)
  const [purchases = 0, activityDay = 0, activityBits = 0, platform = 0, channel = 0, region = 0, appVersion = 0] = list(7, next)
  const days = list(next(), () => list(3, next) as [day: number, count: number, amount: number])
  const baseAt = next()
  const tastes = list(next(), () => list(2, next) as [code: number, value: number])
  const tiles: { window: number; number: number; values: number[] }[] = []
  while (!ended()) {
    const window = next()
    const number = next()
    const present = next()
    tiles.push({ window, number, values: measures.map((_, m) => ((present & (1 << m)) === 0 ? 0 : next())) })
  }

  const to = byteWriter()
  const code = (of: keyof OtherCodes, at: number) => putUint(to, at === otherCodes[of] ? 0 : at + 1)
  const isRegistered = !Number.isNaN(registered)
  room(to, 200 + days.length * 24 + tastes.length * 16 + tiles.length * 140)
  to.bytes[to.at++] = version2
  to.bytes[to.at++] = rung | (isRegistered ? 8 : 0) | (purchases > 0 ? 16 : 0) | (pendingAt > 0 ? 32 : 0) | (waitingAt > 0 ? 64 : 0)
  putInt(to, lastSeen)
  putUint(to, lastSeen - firstSeen)
  if (isRegistered) putUint(to, lastSeen - registered)
  if (purchases > 0) {
    putUint(to, lastSeen - lastPurchase)
    putUint(to, purchases)
    putUint(to, amount)
  }
  putInt(to, activityDay)
  putUint(to, activityBits >>> 0)
  putUint(to, platform)
  code('channel', channel)
  code('region', region)
  code('app_version', appVersion)
  putUint(to, days.length)
  for (const [i, [day, count, spent]] of days.entries()) {
    putInt(to, (days[i - 1]?.[0] ?? activityDay) - day)
    putUint(to, count)
    putUint(to, spent)
  }
  if (pendingAt > 0) putInt(to, pendingAt - lastSeen)
  if (waitingAt > 0) putInt(to, waitingAt - lastSeen)
  putUint(to, tastes.length)
  if (tastes.length > 0) putUint(to, lastSeen - baseAt)
  for (const [category, weight] of tastes) {
    code('category', category)
    putDouble(to, weight)
  }
  for (const [w, { hopMs }] of windows.entries()) {
    const own = tiles.filter(({ window }) => window === w)
    putUint(to, own.length)
    for (const [i, { number, values }] of own.entries()) {
      putUint(to, i === 0 ? Math.floor(lastSeen / hopMs) - number : number - own[i - 1]!.number)
      putMeasures(to, values)
    }
  }
  return taken(to)
}

function putMeasures(to: ByteWriter, values: readonly number[]): void {
  const present = values.reduce((bits, value, m) => (value === 0 ? bits : bits | (1 << m)), 0)
  to.bytes[to.at++] = present & 255
  to.bytes[to.at++] = present >>> 8
  for (const value of values) if (value !== 0) putUint(to, value)
}

/** Ids of a user stood together; each pair of halves was as it is. */
export function idsOfVersion1(value: Uint8Array): Uint8Array {
  const from = numberReader(value)
  from.next() // the version
  const to = byteWriter()
  room(to, 1)
  to.bytes[to.at++] = version2
  while (!from.ended()) {
    const id = from.bytes(from.next())
    const halves = from.bytes(from.next() * 8)
    room(to, 16 + id.length + halves.length)
    putUint(to, id.length)
    putBytes(to, id, 0, id.length)
    putUint(to, halves.length / 8)
    putBytes(to, halves, 0, halves.length)
  }
  return taken(to)
}
