// For what runs in the page.
/// <reference lib="dom" />
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { missingBrowser, type Page } from '../../testing/browser.ts'
import { baselineOf, incomparable, mismatch, openPictures, shots } from '../../testing/pictures.ts'

/** On one machine they are the same to the pixel; half a thousandth is what a letter or a stroke may differ elsewhere. */
const mostShare = 0.0005
const missing = await missingBrowser()
const pictures = missing === undefined ? await openPictures() : undefined
const reason = pictures === undefined ? missing : incomparable(pictures.madeWith)

describe.skipIf(reason !== undefined)(`pictures of the board${reason === undefined ? '' : `: ${reason}`}`, () => {
  test.each(shots)('$name looks as it did', async (shot) => {
    expect(await mismatch(pictures!, shot.name, await pictures!.take(shot), mostShare)).toBeUndefined()
  })

  // Of each path, its answers 700 ms late: what is drawn first has other figures in it, and columns of other widths.
  const late = (path: string) => async (page: Page) => {
    await page.setRequestInterception(true)
    page.on('request', (request) => setTimeout(() => void request.continue(), request.url().includes(path) ? 700 : 0))
  }
  const hindrances: Readonly<Record<string, (page: Page) => Promise<void>>> = {
    'boards that come late': late('/api/boards'),
    'a stream that comes late': late('/api/stream'),
    'a slow machine': (page) => page.emulateCPUThrottling(6),
  }
  test.each(['overview', 'alerts', 'alerts-zh-phone'])('%s looks the same whatever comes first, and however slowly', async (name) => {
    const shot = shots.find((one) => one.name === name)!
    const unhindered = await pictures!.take(shot)
    for (const [hindrance, before] of Object.entries(hindrances)) {
      const { share } = await pictures!.compare(unhindered, await pictures!.take(shot, { before }))
      expect(share, hindrance).toBe(0)
    }
  })

  test('a figure that moved by four pixels is told, with where to see it', async () => {
    const shot = shots.find(({ name }) => name === 'user-phone')!
    const actual = await pictures!.take(shot, {
      after: (page) => page.$eval('dl.record', (element) => void ((element as HTMLElement).style.paddingLeft = '4px')),
    })
    const told = await mismatch(pictures!, shot.name, actual, mostShare)
    expect(told).toContain('npm run screenshots -- --baseline')
    const paths = [...told!.matchAll(/\S+\.png/g)].map(([path]) => path)
    expect(paths).toHaveLength(3)
    expect(paths.every(existsSync)).toBe(true)
    expect(readFileSync(paths[1]!)).toEqual(Buffer.from(actual))
    rmSync(dirname(paths[1]!), { recursive: true })
  })

  test('a picture of another size differs in all of it', async () => {
    const [one, other] = [baselineOf('overview'), baselineOf('user-phone')].map((path) => readFileSync(path))
    expect((await pictures!.compare(one!, other!)).share).toBe(1)
    expect((await pictures!.compare(one!, one!)).share).toBe(0)
  })
})

afterAll(() => pictures?.close())
