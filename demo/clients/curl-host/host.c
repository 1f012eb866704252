/*
 * A program that calls a provider with libcurl, one call after the other, and knows nothing of circuit breakers.
 *
 *     host URL HEADER BODY CALLS
 *
 * It prints a line for each call: what libcurl made of it, as number and as text.
 */
#include "host.h"

#include <stdio.h>
#include <stdlib.h>

CURLcode (*host_perform)(CURL *transfer) = curl_easy_perform;

static size_t ignore(char *bytes, size_t size, size_t count, void *user_data)
{
    (void)bytes;
    (void)user_data;
    return size * count;
}

static CURL *transfer_to(const char *url, const char *body, struct curl_slist *headers)
{
    CURL *transfer = curl_easy_init();
    if (transfer == NULL)
        return NULL;
    curl_easy_setopt(transfer, CURLOPT_URL, url);
    curl_easy_setopt(transfer, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(transfer, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(transfer, CURLOPT_WRITEFUNCTION, ignore);
    curl_easy_setopt(transfer, CURLOPT_FAILONERROR, 1L);
    curl_easy_setopt(transfer, CURLOPT_TIMEOUT, 30L);
    return transfer;
}

int main(int count, char **arguments)
{
    if (count != 5) {
        fprintf(stderr, "usage: host URL HEADER BODY CALLS\n");
        return 2;
    }
    struct curl_slist *headers = curl_slist_append(NULL, arguments[2]);
    CURL *transfer = transfer_to(arguments[1], arguments[3], headers);
    if (transfer == NULL)
        return 1;
    for (long calls = strtol(arguments[4], NULL, 10); calls > 0; calls--) {
        CURLcode code = host_perform(transfer);
        printf("%d %s\n", (int)code, curl_easy_strerror(code));
    }
    curl_easy_cleanup(transfer);
    curl_slist_free_all(headers);
    return 0;
}
