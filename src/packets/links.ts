/** Links with short messages, and how long a message of theirs may be. */

/** A link and the longest message that it takes. */
export interface Link {
  /** Bytes of a message, at most. */
  bytes: number;
  /** What the limit is of, and who says so. */
  source: string;
}

/** Links by name; docs/guide/messages.md says more. */
export const LINKS = {
  'lora-dr0': { bytes: 51, source: 'LoRaWAN EU863-870, DR0 to DR2: LoRaWAN Regional Parameters, maximum payload N' },
  lora: { bytes: 222, source: 'LoRaWAN EU863-870, DR4 to DR7: LoRaWAN Regional Parameters, maximum payload N' },
  meshtastic: { bytes: 233, source: 'Meshtastic: Data.payload in mesh.options of its protobufs' },
  'iridium-sbd': { bytes: 340, source: 'Iridium Short Burst Data from a 9602 or 9603: its developers guide' },
  'iridium-imt': { bytes: 100_000, source: 'Iridium Messaging Transport, 9704: its data sheet' },
  sms: { bytes: 140, source: 'SMS of 8-bit data: 3GPP TS 23.040' },
} as const satisfies Record<string, Link>;

/** Name of a link in `LINKS`. */
export type LinkName = keyof typeof LINKS;
