// Who may ask: a page of another site must not reach a board on this machine, neither by its address nor by a name of its own (DNS rebinding).
import type { IncomingHttpHeaders } from 'node:http'

const loopbackHosts = /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?$/i
export const isLoopback = (host: string) => /^(localhost|127(\.\d{1,3}){3}|::1)$/i.test(host)

/** Why not; undefined: it may. `boundTo`: the address that is listened on. */
export function refusalOf(headers: IncomingHttpHeaders, boundTo: string, writes: boolean): string | undefined {
  const { host = '', origin } = headers
  if (isLoopback(boundTo) && !loopbackHosts.test(host))
    return 'this server answers on this machine only, by the name localhost or 127.0.0.1'
  const site = headers['sec-fetch-site']
  if (origin !== undefined && origin !== `http://${host}` && origin !== `https://${host}`) return 'only pages of this server may ask it'
  if (!writes) return undefined
  if (origin === undefined && site !== undefined && site !== 'same-origin') return 'only pages of this server may write'
  if (!/^application\/json\b/i.test(headers['content-type'] ?? '')) return 'what is written comes as application/json'
  return undefined
}
