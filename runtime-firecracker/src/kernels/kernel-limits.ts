/** Of everything that is fetched or named by an operator. Listed in docs/reference/limits.md. */
export const kernelLimits = {
  /** An uncompressed kernel. */
  kernelBytes: 256 << 20,
  /** A package, as it is downloaded. */
  packageBytes: 128 << 20,
  /** What a package unpacks to. */
  unpackedBytes: 1 << 30,
  /** `InRelease` of a distribution. */
  releaseBytes: 4 << 20,
  /** The compressed index of a distribution's packages. */
  indexBytes: 64 << 20,
  /** The same unpacked. */
  indexTextBytes: 512 << 20,
  /** Of one package in that index. */
  stanzaBytes: 256 << 10,
  /** A download from which nothing more comes is given up after this. */
  silenceMs: 30_000,
  /** That one node keeps. */
  kernels: 32,
} as const
