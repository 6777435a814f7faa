/** The fixed sizes of the wire protocol; docs/reference/wire-protocol.md explains each. */
export const PROTOCOL_VERSION = 4
export const HELLO_MAGIC = 0x41454749

export const FRAME_MAX_BYTES = 32_768
export const HEADER_BYTES = 8
export const PAYLOAD_MAX_BYTES = FRAME_MAX_BYTES - HEADER_BYTES

export const REQUEST_MAX_BYTES = 1 << 20
export const VECTOR_MAX = 4_096
export const PATH_MAX_BYTES = 4_095
/** What a machine is given for its random numbers, and what it shows of them afterwards. */
export const ENTROPY_BYTES = 64
export const PROOF_BYTES = 32
/** Names one life of a machine that came out of a snapshot. */
export const GENERATION_BYTES = 16
export const NAME_MAX_BYTES = 253
export const REASON_MAX_BYTES = 64
export const LISTENERS_MAX = 64
export const NAMES_MAX = 1_024
export const SUFFIXES_MAX = 128
/** Names below suffixes that get an address, in a whole session. */
export const POOL_MAX = 1_024

export const HOST_CHANNELS_MAX = 64
export const GUEST_CHANNELS_MAX = 256
/** Channels that the guest opens have this bit. */
export const GUEST_CHANNEL_BIT = 0x8000_0000

/** To the guest: input of commands, content of files. */
export const WINDOW_SMALL_BYTES = 64 * 1024
/** From the guest: output of commands, content of files. */
export const WINDOW_LARGE_BYTES = 256 * 1024
/** On a connection, each way. */
export const WINDOW_CONNECTION_BYTES = 256 * 1024
/** What even the smallest DATA frame takes from the window, so that crumbs cost memory's price. */
export const DATA_COST_MIN = 256

/** Connections a guest may open at once, and then per second. The guest keeps to half as many. */
export const CONNECT_BURST = 2_048
export const CONNECTS_PER_SECOND = 2_000

/** Notices a guest may send at once, and then per second. The guest itself keeps to far fewer. */
export const NOTICE_BURST = 1_000
export const NOTICES_PER_SECOND = 50
