// Who may ask: a page of another site must not reach a board on this machine, neither by its address nor by a name of its own (DNS rebinding).
import type { IncomingHttpHeaders } from 'node:http'

const loopbackNames = /^(localhost|127(\.\d{1,3}){3}|\[::1\]|::1)$/i
export const isLoopback = (host: string) => loopbackNames.test(host)

export type GuardOptions = {
  /** The address that is listened on. */
  boundTo: string
  /** It answers to these names alone, whatever it listens on. None: on a loopback address to those of this machine, elsewhere to any. */
  names: readonly string[]
}

/** Why not; undefined: it may. */
export function refusalOf(headers: IncomingHttpHeaders, { boundTo, names }: GuardOptions, writes: boolean): string | undefined {
  const { host = '', origin } = headers
  const name = host.replace(/:\d+$/, '').toLowerCase()
  if (names.length > 0) {
    if (!names.some((one) => one.toLowerCase() === name)) return `this server answers to ${names.join(', ')} only`
  } else if (isLoopback(boundTo) && !isLoopback(name)) return 'this server answers on this machine only, by the name localhost or 127.0.0.1'
  if (origin !== undefined && origin !== `http://${host}` && origin !== `https://${host}`) return 'only pages of this server may ask it'
  // A link on another site's page may lead here; its scripts, pictures and frames may not ask.
  const site = headers['sec-fetch-site'] ?? 'none'
  const isOwn = site === 'same-origin' || site === 'none'
  if (!isOwn && headers['sec-fetch-mode'] !== 'navigate') return 'only pages of this server may ask it'
  if (!writes) return undefined
  if (!isOwn) return 'only pages of this server may write'
  if (!/^application\/json\b/i.test(headers['content-type'] ?? '')) return 'what is written comes as application/json'
  return undefined
}
