import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { parseNodeConfig } from '@aegis/core'
import { describe, expect, it } from 'vitest'
import { readComposeService } from './compose-service.ts'

const read = (name: string): Promise<string> =>
  readFile(fileURLToPath(new URL(`../../${name}`, import.meta.url)), 'utf8')

describe('compose.yaml', () => {
  it('takes from AEGIS whatever it can do without', async () => {
    expect(await readComposeService()).toMatchObject({
      read_only: true,
      cap_drop: ['ALL'],
      security_opt: ['no-new-privileges:true'],
      tmpfs: ['/tmp'],
      init: true,
      mem_limit: expect.any(String),
      pids_limit: expect.any(Number),
      logging: { options: { 'max-size': expect.any(String), 'max-file': expect.any(String) } },
    })
  })

  it('publishes the port of the config on the loopback of the host alone', async () => {
    const { port } = parseNodeConfig(await read('packaging/node-config.yaml')).spec.network
    expect((await readComposeService()).ports).toEqual([`127.0.0.1:${port}:${port}`])
  })

  it('takes the socket and its group from the variables that the documentation names', async () => {
    const service = await readComposeService({ DOCKER_SOCKET: '/run/own.sock', DOCKER_GID: '998' })
    expect(service.volumes).toEqual(['home:/var/lib/aegis', '/run/own.sock:/var/run/docker.sock'])
    expect(service.group_add).toEqual(['998'])
    const usual = await readComposeService()
    expect(usual.volumes).toContain('/var/run/docker.sock:/var/run/docker.sock')
  })

  it('hands on keys and the address of an engine from the shell, and holds no values', async () => {
    const { environment } = await readComposeService()
    expect(environment).toContain('DOCKER_HOST')
    expect(environment.filter((entry) => entry.includes('='))).toEqual([])
  })
})

describe('packaging/node-config.yaml', () => {
  it('is a config that runs agents in containers only', async () => {
    const { runtime, network } = parseNodeConfig(await read('packaging/node-config.yaml')).spec
    expect(runtime).toMatchObject({ default_isolation: 'docker', isolations: ['docker'] })
    expect(network.bind_address).toBe('0.0.0.0')
  })
})

describe('Dockerfile', () => {
  it('gives AEGIS the home that compose.yaml keeps, and no root', async () => {
    const dockerfile = await read('Dockerfile')
    const home = /^VOLUME (\S+)$/m.exec(dockerfile)?.[1]
    expect(dockerfile).toMatch(/^USER node$/m)
    expect(dockerfile).toContain(`ENV AEGIS_HOME=${home} `)
    expect((await readComposeService()).volumes).toContain(`home:${home}`)
  })
})
