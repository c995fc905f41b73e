// Sentences in tables of the board: where they stand, at any width, and whose they are said to be.
/// <reference lib="dom" />
import { afterAll, describe, expect, test } from 'vitest'
import { axeViolations, missingBrowser } from '../../testing/browser.ts'
import { openPictures, type Shot } from '../../testing/pictures.ts'

const missing = await missingBrowser()
const pictures = missing === undefined ? await openPictures() : undefined

describe.skipIf(missing !== undefined)(`sentences in tables${missing === undefined ? '' : `: ${missing}`}`, () => {
  const shots: Shot[] = [375, 640, 1120, 1440, 1760].flatMap((width) =>
    (['en', 'zh'] as const).map((language) => ({
      name: `${width} px, ${language}`,
      query: '?board=reelpulse-alerts',
      width,
      height: 900,
      theme: width === 375 ? 'dark' : 'light',
      language,
    })),
  )

  test.each(shots)('$name: they are read whole, and figures stay on one line', async (shot) => {
    const seen: Awaited<ReturnType<typeof lookAt>>[] = []
    await pictures!.take(shot, {
      async after(page) {
        for (const side of ['left', 'right'] as const) seen.push(await page.evaluate(lookAt, side))
        expect(await axeViolations(page)).toEqual([])
      },
    })
    for (const { sentences, hidden, highest } of seen) {
      expect(sentences).toBeGreaterThan(15)
      expect(hidden).toEqual([])
      expect(highest).toBeLessThan(32)
    }
  })

  test('each is connected with its row and has its column as its name', async () => {
    let first: unknown
    await pictures!.take(
      shots.find(({ name }) => name === '1120 px, zh')!,
      {
        async after(page) {
          first = await page.$eval('[data-shows=open_alerts] .said td', (cell) => {
            const row = document.getElementById(cell.getAttribute('headers')!)!
            const names = [...cell.querySelectorAll('dl > div')].map((one) => [...one.children].map((part) => part.textContent))
            return { row: row.textContent, tag: row.tagName, scope: row.getAttribute('scope'), names: names.map(([name]) => name), cause: names[0]![1] } // prettier-ignore
          })
        },
      },
    )
    expect(first).toEqual({ row: '完播率', tag: 'TH', scope: 'row', names: ['可能原因', '原因'], cause: 'channel organic (119 %)' })
  })
})

afterAll(() => pictures?.close())

/** In the page, with every table scrolled to one side: sentences of which a part is out of sight or under something, and the highest row of figures. */
function lookAt(side: 'left' | 'right'): { sentences: number; hidden: string[]; highest: number } {
  const sentences = [...document.querySelectorAll('.said dd')]
  const isSeen = (sentence: Element): boolean => {
    sentence.scrollIntoView({ block: 'center' })
    const table = sentence.closest('.scroll')!
    table.scrollLeft = side === 'left' ? 0 : table.scrollWidth
    const text = document.createRange()
    text.selectNodeContents(sentence)
    return [...text.getClientRects()].every(({ left, right, top, bottom }) =>
      [left + 1, (left + right) / 2, right - 1].every((x) => document.elementFromPoint(x, (top + bottom) / 2) === sentence),
    )
  }
  return {
    sentences: sentences.length,
    hidden: sentences.filter((one) => !isSeen(one)).map((one) => one.textContent ?? ''),
    highest: Math.max(...[...document.querySelectorAll('.scroll tbody tr:not(.said)')].map((row) => row.getBoundingClientRect().height)),
  }
}
