import { expect, test } from 'vitest'
import { uuidBytes, uuidOfName, uuidText } from './uuid.ts'

test('a name gives the UUID that RFC 9562 says', () => {
  const dns = uuidBytes('6ba7b810-9dad-11d1-80b4-00c04fd430c8')
  expect(uuidText(uuidOfName(dns, 'www.example.com'))).toBe('2ed6657d-e927-568b-95e1-2665a8aea6a2')
})
