/*
 * Texts: strings of bytes that many threads read and nobody changes: the names of circuits, and those in events. A text
 * lies in a slot of one of a few sizes (pool.h), so that who comes too late for one reads the bytes of another and harms
 * nothing. Whether it was the text that he read is for him to find out; who reads of a later one also sees that the
 * earlier one was over. Takes no lock.
 */
#ifndef TRIP_TEXTS_H
#define TRIP_TEXTS_H

#include "trip.h"

#define TRIP_TEXT_BYTES_MAX 516

/* Where a text lies: its size above its number, 29 bits in all. 0: nowhere. */
typedef uint32_t trip_text_place;

/* Keep a copy. TRIP_OK, TRIP_E_NOMEM, or TRIP_E_CAPACITY: so many of this size are kept already. */
trip_status trip_texts_keep(const void *bytes, size_t len, trip_text_place *out_place);

/* The text is not needed any more; one that is nowhere never was. */
void trip_texts_drop(trip_text_place place);

/* Copy what lies there, be it a text that is kept or not: its bytes and what may be behind them. How many they are. */
size_t trip_texts_copy(trip_text_place place, void *out_bytes, size_t capacity);

/* The bytes of a text, for who knows that it is kept. */
const unsigned char *trip_texts_at(trip_text_place place);

#endif
