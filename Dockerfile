# The three programs and nothing else. It builds what is in the folder; with .git there they know
# their commit, which a failure of the simulator prints.
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -o /out/ ./cmd/detcd ./cmd/detcdctl ./cmd/detcdlab && mkdir /empty

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/ /usr/local/bin/
COPY --from=build --chown=65532:65532 /empty /var/lib/detcd
COPY --from=build --chown=65532:65532 /empty /tmp
ENV PATH=/usr/local/bin
USER 65532:65532
WORKDIR /var/lib/detcd
VOLUME /var/lib/detcd
EXPOSE 2379 2380
CMD ["detcd"]
