/* The one place of the host that an extension may change. */
#ifndef HOST_H
#define HOST_H

#include <curl/curl.h>

/* How a transfer is performed: curl_easy_perform, unless somebody puts another function here before main begins. */
extern CURLcode (*host_perform)(CURL *transfer);

#endif
