import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Secret, type SecretChange, type SecretControl, type SecretSummary } from '@aegis/core'
import { describe, expect, it } from 'vitest'
import type { CommandContext } from '../program/command-context.ts'
import { fakeContext } from '../testing/fake-context.ts'
import { listSecrets } from './list-secrets.ts'
import { readSecretValue } from './read-secret-value.ts'
import { removeSecret } from './remove-secret.ts'
import { rotateSecrets } from './rotate-secrets.ts'
import { setSecret } from './set-secret.ts'

const github: SecretSummary = {
  name: 'github',
  agents: ['coder'],
  hosts: ['api.github.com'],
  places: ['bearer'],
  createdAt: '2026-11-22T15:00:00.000Z',
  updatedAt: '2026-11-22T15:00:00.000Z',
  state: 'intact',
}

/** A node with one secret, and the surroundings of a command. */
function scene(
  options: {
    json?: boolean
    piped?: string
    settings?: object
    secrets?: Partial<SecretControl>
  } = {},
) {
  const changes: (SecretChange & { readonly name: string })[] = []
  const secrets: Partial<SecretControl> = {
    list: async () => [github],
    async set(name, change) {
      changes.push({ name, ...change })
      return { secret: { ...github, name }, created: name !== 'github' }
    },
    remove: async () => undefined,
    ...options.secrets,
  }
  const fake = fakeContext({ secrets }, { json: options.json ?? false })
  const context: CommandContext = {
    ...fake.context,
    env: { TOKEN: 'from the shell\n' },
    cwd: '/',
    settings: { ...fake.context.settings, ...options.settings },
    askHidden: async () => undefined,
    readStdin: async () => options.piped ?? 'hunter2hunter2\n',
  }
  return { context, terminal: fake.terminal, changes }
}

describe('aegis secret set', () => {
  it('hands over what was piped in, and says what the secret is for', async () => {
    const { context, terminal, changes } = scene()
    const options = { agent: ['coder'], to: ['api.github.com'] }
    expect(await setSecret(context, ['stripe'], options)).toBe(0)
    expect(changes).toMatchObject([
      { name: 'stripe', agents: ['coder'], hosts: ['api.github.com'] },
    ])
    expect(changes[0]?.value.reveal()).toBe('hunter2hunter2')
    expect(terminal.stdout()).toBe(
      [
        'Keeping secret stripe',
        'Agents     coder',
        'Sent to    api.github.com',
        'Stands in  bearer',
        'Use it in a manifest: spec.secrets: { TOKEN: stripe }',
        '',
      ].join('\n'),
    )
  })

  it('tells JSON in the words of the HTTP API', async () => {
    const { context, terminal } = scene({ json: true })
    await setSecret(context, ['github'], {})
    expect(JSON.parse(terminal.stdout())).toEqual({
      secret: {
        name: 'github',
        agents: ['coder'],
        hosts: ['api.github.com'],
        places: ['bearer'],
        created_at: github.createdAt,
        updated_at: github.updatedAt,
        state: 'intact',
      },
      created: false,
    })
  })

  it('sends nothing to a host that was meant for the secret', async () => {
    const settings = { isTargetExplicit: true, host: 'api.github.com' }
    const { context, changes } = scene({ settings })
    await expect(setSecret(context, ['github'], {})).rejects.toMatchObject({
      kind: 'invalid',
      details: { help: expect.stringContaining('--to api.github.com') },
    })
    expect(changes).toEqual([])
    await setSecret(context, ['github'], { to: ['api.github.com'] })
    expect(changes).toHaveLength(1)
  })

  it('changes nothing when the question is not answered', async () => {
    const { context, changes } = scene()
    const asked = { ...context, askHidden: async () => 'interrupted' as const }
    expect(await setSecret(asked, ['github'], {})).toBe(130)
    expect(changes).toEqual([])
  })
})

describe('the value of a secret', () => {
  const read = async (source: object, context = scene().context) => {
    const value = await readSecretValue(context, 'github', source)
    return value instanceof Secret ? value.reveal() : value
  }

  it('loses one line break at its end, and nothing else', async () => {
    for (const [piped, value] of [
      ['a\n', 'a'],
      ['a\r\n', 'a'],
      ['a\n\n', 'a\n'],
      [' a ', ' a '],
      ['\na', '\na'],
    ]) {
      expect(await read({}, scene({ piped: piped ?? '' }).context)).toBe(value)
    }
    expect(await read({ fromEnv: 'TOKEN' })).toBe('from the shell')
  })

  it('comes from a file or a variable that is named, or says that there is none', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'aegis-secret-'))
    try {
      await writeFile(join(folder, 'token'), 'in a file\n')
      expect(await read({ fromFile: join(folder, 'token') })).toBe('in a file')
    } finally {
      await rm(folder, { recursive: true })
    }
    await expect(read({ fromFile: '/absent' })).rejects.toMatchObject({ code: 'file.unreadable' })
    await expect(read({ fromEnv: 'ABSENT' })).rejects.toMatchObject({ code: 'secret.variable' })
  })
})

describe('aegis secret list', () => {
  it('shows what secrets are for, and which nobody may use', async () => {
    const list = async () => [github, { ...github, name: 'stripe', state: 'altered' as const }]
    const { context, terminal } = scene({ secrets: { list } })
    expect(await listSecrets(context, [], {})).toBe(0)
    const [count, titles, first, second] = terminal.stdout().split('\n')
    expect(count).toBe('2 secrets:')
    expect(titles).toMatch(/^NAME +AGENTS +SENT TO +STANDS IN +CHANGED +STATE$/)
    expect(first).toMatch(/^github +coder +api\.github\.com +bearer +\d+\w ago +intact$/)
    expect(second).toMatch(/^stripe .* altered$/)
    expect(terminal.stderr()).toContain('Something else than AEGIS changed 1 secret')
  })

  it('says how to keep the first', async () => {
    const { context, terminal } = scene({ secrets: { list: async () => [] } })
    await listSecrets(context, [], {})
    expect(terminal.stdout()).toMatch(/^There are no secrets yet\.\nKeep one: aegis secret set /)
  })
})

describe('aegis secret remove', () => {
  it('says what it removed', async () => {
    const { context, terminal } = scene()
    expect(await removeSecret(context, ['github'], {})).toBe(0)
    expect(terminal.stdout()).toBe('Removed secret github\n')
  })
})

describe('aegis secret rotate', () => {
  const rotation = { secrets: 2, key: 'env:NEW', isKeyNew: true, isConfigured: true }

  it('changes the key of all, and warns where the config names another', async () => {
    const asked: unknown[] = []
    const rotate: SecretControl['rotate'] = async (options) => {
      asked.push(options)
      return { ...rotation, isConfigured: false }
    }
    const { context, terminal } = scene({ secrets: { rotate } })
    expect(await rotateSecrets(context, [], { key: 'env:NEW' })).toBe(0)
    expect(asked).toEqual([{ key: 'env:NEW' }])
    expect(terminal.stdout()).toBe('Encrypted 2 secrets anew; the key comes from env:NEW\n')
    expect(terminal.stderr()).toContain('write spec.security.secrets.key: env:NEW into the config')
  })

  it('says when the key is the one of before', async () => {
    const rotate = async () => ({ ...rotation, isKeyNew: false })
    const { context, terminal } = scene({ secrets: { rotate } })
    await rotateSecrets(context, [], {})
    expect(terminal.stderr()).toContain('name another with --key')
  })

  it('gives one secret another value, and knows none that is not there', async () => {
    const { context, terminal, changes } = scene()
    expect(await rotateSecrets(context, ['github'], {})).toBe(0)
    expect(changes).toEqual([{ name: 'github', value: expect.any(Secret) }])
    expect(terminal.stdout()).toBe('Secret github has another value\n')
    await expect(rotateSecrets(context, ['stripe'], {})).rejects.toMatchObject({
      kind: 'not-found',
      code: 'secret.absent',
    })
    expect(changes).toHaveLength(1)
  })

  it.each([
    ['github', { key: 'file' }],
    [undefined, { fromEnv: 'TOKEN' }],
  ])('refuses what does not go together', async (name, options) => {
    const args = name === undefined ? [] : [name]
    await expect(rotateSecrets(scene().context, args, options)).rejects.toMatchObject({
      kind: 'invalid',
      code: 'secret.options',
    })
  })
})
