/* What a provider said: the steps that need no tracker, and the outcome that a step records. */
#ifndef CONTRACT_SAID_H
#define CONTRACT_SAID_H

#include "expect.h"

#include <trip.h>

void classify_http(const place *where, const json_t *step, facts *found);
void classify_text(const place *where, const json_t *step, facts *found);
void classify_errno(const place *where, const json_t *step, facts *found);
void retry_hint(const place *where, const json_t *step, facts *found);

/* Of a step that records: its class, and what is said beside it. */
trip_outcome outcome_argument(const place *where, const json_t *step);

#endif
