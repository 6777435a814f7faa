import { fileURLToPath } from 'node:url'

export const imageNames = ['python', 'node', 'tiny', 'clients'] as const
export type ImageName = (typeof imageNames)[number]

export interface ImageRecipe {
  readonly reference: string
  /** Shell script that writes the root file system to the tar file `$1`. */
  readonly script: string
  /** Files the script reads; their content is part of the recipe. */
  readonly sources: readonly string[]
  /** As instructions of a Dockerfile. */
  readonly changes: readonly string[]
}

const tinySource = fileURLToPath(new URL('./images/tiny.c', import.meta.url))
const searchPath = 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** Programs that a slim image of Debian has too, without its package manager. */
const baseOfDebian = [
  ...['base-files', 'base-passwd', 'libc-bin', 'ca-certificates', 'netbase', 'tzdata'],
  ...['dash', 'bash', 'coreutils', 'grep', 'sed', 'findutils', 'diffutils', 'tar', 'gzip'],
  ...['hostname', 'mount', 'util-linux'],
]

/** Images like those of Docker Hub, made without it. */
export const imageRecipes: Readonly<Record<ImageName, ImageRecipe>> = {
  python: {
    reference: 'python:3.11',
    script: debian('python3', 'python3-distutils', 'python-is-python3'),
    sources: [],
    changes: [searchPath, 'ENV LANG=C.UTF-8', 'CMD ["python3"]'],
  },
  node: {
    reference: 'node:18',
    script: debian('nodejs'),
    sources: [],
    // Docker Hub's has an entry point too, and it also runs its arguments.
    changes: [searchPath, 'ENTRYPOINT ["/usr/bin/env"]', 'CMD ["node"]'],
  },
  /** What an agent may talk to the world with. */
  clients: {
    reference: 'clients:1',
    script: debian(
      ...['nodejs', 'python3', 'curl', 'git', 'openssl', 'openssh-client', 'redis-tools'],
      'postgresql-client-15',
    ),
    sources: [],
    changes: [searchPath, 'CMD ["sh"]'],
  },
  tiny: {
    reference: 'tiny:1',
    script: `
      root=$(mktemp --directory); trap 'rm -r "$root"' EXIT
      mkdir "$root/bin"
      cc -static -Os -s -o "$root/bin/tiny" '${tinySource}'
      tar --create --file "$1" --directory "$root" --owner=0 --group=0 .`,
    sources: [tinySource],
    changes: [searchPath, 'CMD ["tiny", "echo", "tiny"]'],
  },
}

/**
 * Debian packages, unpacked without running what they bring for their installation, which takes
 * seconds instead of a minute. What that would have made and programs look for is made here.
 */
function debian(...packages: readonly string[]): string {
  const include = [...baseOfDebian, ...packages].join(',')
  const finish = `
    cd "$1"
    cp usr/share/base-passwd/passwd.master etc/passwd
    cp usr/share/base-passwd/group.master etc/group
    mkdir -p etc/ssl/certs
    cat usr/share/ca-certificates/mozilla/*.crt > etc/ssl/certs/ca-certificates.crt
    rm -rf usr/share/doc usr/share/man usr/share/locale var/cache/apt var/lib/apt`
  return `mmdebstrap --quiet --mode=root --variant=extract --format=tar --include=${include} \
    --extract-hook='${finish}' bookworm "$1"`
}
