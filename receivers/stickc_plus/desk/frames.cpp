// The sketch's decoder as a filter, to hold it against the Python one: stream in, one line per frame out.
//   frames CHUNK < stream    ->    kind sequence length crc32
#include <stdio.h>
#include <stdlib.h>

#include "link.h"

int main(int count, char **words) {
  static k210::Decoder<20 * 1024> decoder;
  const size_t chunk = count > 1 ? strtoul(words[1], nullptr, 10) : 4096;
  k210::Frame frame;
  bool ended = false;
  while (!ended) {
    size_t free;
    uint8_t *room = decoder.room(&free);
    const size_t got = fread(room, 1, free < chunk ? free : chunk, stdin);
    decoder.filled(got);
    ended = got == 0;
    while (decoder.next(&frame, ended)) {
      printf("%d %d %zu %08x\n", frame.kind, frame.sequence, frame.length, k210::crc32(frame.payload, frame.length));
    }
  }
  fprintf(stderr, "frames %u lost %u damaged %u\n", decoder.counts.frames, decoder.counts.lost, decoder.counts.damaged);
  return 0;
}
