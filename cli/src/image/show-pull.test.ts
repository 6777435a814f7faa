import { describe, expect, it } from 'vitest'
import { aProgress } from '../testing/an-image.ts'
import { recordTerminal } from '../testing/record-terminal.ts'
import { showPull } from './show-pull.ts'

describe('a pull on the terminal', () => {
  it('is one line that is wiped at the end, and never wraps', () => {
    const terminal = recordTerminal({ isTty: true, columns: 30 })
    {
      using shown = showPull(terminal, () => 0)
      shown.onProgress(aProgress())
      shown.onProgress(aProgress({ layersDone: 2 }))
    }
    expect(terminal.stderr()).toContain('\r\x1b[2K⠋ pulling python:3.11: 1 o…')
    expect(terminal.stderr().endsWith('\r\x1b[2K')).toBe(true)
    expect(terminal.stderr()).not.toContain('\n')
  })

  it('is a few lines elsewhere, and makes what a registry says safe', () => {
    const terminal = recordTerminal()
    using shown = showPull(terminal, () => 0)
    shown.onProgress(aProgress({ reference: 'a\x1b[2J\nb' }))
    shown.onProgress(aProgress({ layersDone: 2 }))
    expect(terminal.stderr()).toBe('pulling a\\x1b[2J\\nb: 1 of 3 layers, 0 B of 40 MiB\n')
  })

  it('is nothing where JSON was asked for', () => {
    const terminal = recordTerminal({ json: true, isTty: true })
    using shown = showPull(terminal)
    shown.onProgress(aProgress())
    expect(terminal.stderr()).toBe('')
  })
})
