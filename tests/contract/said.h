/* The steps that need no tracker: what a provider said, and what the library reads in it. */
#ifndef CONTRACT_SAID_H
#define CONTRACT_SAID_H

#include "expect.h"

void classify_http(const place *where, const json_t *step, facts *found);
void classify_text(const place *where, const json_t *step, facts *found);
void classify_errno(const place *where, const json_t *step, facts *found);
void retry_hint(const place *where, const json_t *step, facts *found);

#endif
